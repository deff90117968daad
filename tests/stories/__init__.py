"""The mission told end to end, through the pages a person uses."""
