// Package revocation is this node's copy of what has been revoked: every request asks it without a lock or a round
// trip, and a revocation cuts the open streams that it applies to.
//
// SQL is the durable record. Package feed fills the copy from SQL and keeps it in step with the other nodes. A Node
// reports whether it may still be believed (R1, R4).
package revocation
