// Package audit keeps the log of everything that concerns authentication: one row per event in the database, each
// holding the hash of the one before, and optionally the same lines in a file. A change, gap or reordering is found by
// VerifyStore and VerifyFile.
//
// The rows are the truth. A change and its row are one transaction (R9); the row locks the head of the chain, so the
// numbers of all nodes are one sequence without a gap. The file follows the rows from the last line that is in it,
// so it is whole again after a crash, a full disk or a rotation, and holds the events of every node.
package audit

// Event is one line of the log (CONTRACT section 11). Texts are bounded and cleaned when it is written, and what looks
// like a secret of ours is replaced.
type Event struct {
	Event     string // one of Vocabulary
	Outcome   string // success, failure, deny, refused
	Actor     Actor
	Subject   Subject
	IP        string
	UserAgent string
	Session   string
	Host      string
	Method    string
	Path      string
	Reason    string
	Reference string // made when empty
	Details   map[string]string
}

// Actor is who did it.
type Actor struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Subject is whom or what it was done to.
type Subject struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Session string `json:"session,omitempty"`
	Token   string `json:"token,omitempty"`
}
