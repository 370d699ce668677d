package policy

// CheckGlob tells what is wrong with a path of a policy file; nil: nothing.
func CheckGlob(text string) error {
	_, err := globPattern(text)
	return err
}
