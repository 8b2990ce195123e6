import { render } from "preact";
import { openSession } from "./api";
import { App } from "./app";
import { apply } from "./settings";
import "./style.css";

apply();
const place = document.getElementById("app");
if (place) {
  // A token that is not the right one leaves the page without a cookie: it then says what to do.
  await openSession().catch(() => undefined);
  render(<App />, place);
}
