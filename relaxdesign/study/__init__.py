"""From a request to verified designs."""
