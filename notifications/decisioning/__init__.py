"""May we, when, where: facts gathered once per batch, one pure decision."""
