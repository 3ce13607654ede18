"""From a dataset to a calibrated model that was judged on later time."""
