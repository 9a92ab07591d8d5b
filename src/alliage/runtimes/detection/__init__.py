"""Detection of accelerators: PCI ids say whose they are, the vendor's library or tool says what they are and how they do."""
