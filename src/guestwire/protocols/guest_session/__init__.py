"""The tutorial's protocol: `wire` (frames), `states` and `closes` (tables), `client`, `server`, `session`, `rest`."""
