"""Parts of pages; each draws what it is given."""
