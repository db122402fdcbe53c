"""Write what agents decide and what comes of it: `desks` moves accounts, `acting` runs a tick for some entries."""
