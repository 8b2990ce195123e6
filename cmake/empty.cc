// What sortie_precompiled is built for: it has no code of its own.
