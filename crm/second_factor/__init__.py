"""The second factor of staff: an authenticator app, recovery codes, and the one door
that withholds the rights to send from whoever did not prove it."""
