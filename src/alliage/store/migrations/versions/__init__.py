"""One file for each schema there has been. Once released, none is changed."""
