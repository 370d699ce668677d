// Package revocation holds what has been revoked: a copy in every node's memory that each request asks without a
// lock or a round trip, the feed that keeps the copy fresh, and the open streams that a revocation cuts.
//
// SQL is the durable record. A revocation is written there first (Node.Record), then told to this node and the others
// (Node.Announce). The copy is filled from SQL at start, after every gap of the feed and every half minute, so that
// neither an emptied nor a refusing Redis un-revokes anything (R4).
package revocation
