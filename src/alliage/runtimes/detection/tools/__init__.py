"""One file a vendor's tool: how it is asked, and a pure parser of what it prints. By header, never by column."""
