package policyfile

// Check is a stand-in until tests are merged.
func Check(*Document, []Source) error { return nil }
