"""Open seasons (`seasons`), run their clocks and claim their ticks (`ticks`), and race on the spot (`racing`)."""
