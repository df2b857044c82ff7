"""Networks that no library here carries, or not as the cards need them."""
