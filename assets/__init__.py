"""One module per stage of the work; from folders of pictures to a report."""
