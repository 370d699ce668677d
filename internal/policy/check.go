package policy

// CheckGlob returns an error if a path of a policy file is not valid.
func CheckGlob(text string) error {
	_, err := globPattern(text)
	return err
}
