"""The relay: browsers on one side, the provider on the other, the session log between them."""
