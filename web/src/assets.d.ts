// Vite turns an imported style sheet into the page's one CSS file.
declare module "*.css";
