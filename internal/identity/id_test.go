package identity

import "testing"

// An ID has one text form: what is read is written the same again.
func FuzzParseID(f *testing.F) {
	f.Add(NewID().String())
	f.Add("aaaaaaaaaaaaaaaaaaaaaaaaab")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("aaaaaaaaaaaaaaaaaaaaaaaaa\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if id, ok := ParseID(text); ok && id.String() != text || !ok && !id.IsZero() {
			t.Errorf("%q is read as %s, %v", text, id, ok)
		}
	})
}

// A kind of revocation has one name, and no other text is one.
func FuzzParseRevocationKind(f *testing.F) {
	for _, kind := range []RevocationKind{RevokeJTI, RevokeSession, RevokeUser} {
		if got, ok := ParseRevocationKind(kind.String()); !ok || got != kind {
			f.Errorf("%s is read as %v, %v", kind, got, ok)
		}
		f.Add(kind.String())
	}
	f.Add("unknown")
	f.Add("User")
	f.Fuzz(func(t *testing.T, text string) {
		if kind, ok := ParseRevocationKind(text); ok && kind.String() != text || !ok && kind != 0 {
			t.Errorf("%q is read as %v, %v", text, kind, ok)
		}
	})
}
