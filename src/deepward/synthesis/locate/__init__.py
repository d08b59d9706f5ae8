"""Where a phrase is in a picture: locators give boxes, segmenters turn them into masks."""
