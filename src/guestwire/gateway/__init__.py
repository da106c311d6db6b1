"""The server between browser and provider."""
