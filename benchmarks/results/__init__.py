"""The rows that the docs quote, and the tables made of them."""
