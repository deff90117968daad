"""What other programs see of messages: device reports in, figures and states out."""
