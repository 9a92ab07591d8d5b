"""price: what one more device of a kind is worth now. The scarcity prices that plan, bind and sharing speak in. Pure."""
