"""Write the journal (`journal`) and check it (`checking`)."""
