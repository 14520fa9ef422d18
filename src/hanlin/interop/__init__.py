"""Other programs: released folders in their formats."""
