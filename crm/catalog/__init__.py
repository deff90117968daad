"""What we sell: products written by code, from the API and from imports."""
