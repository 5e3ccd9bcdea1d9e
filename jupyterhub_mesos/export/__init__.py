"""From a model object to a checked, versioned bundle in git."""
