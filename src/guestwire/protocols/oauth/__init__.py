"""OAuth 2.0 client credentials: `client` builds the request and reads the answer, `server` does the reverse."""
