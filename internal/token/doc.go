// Package token makes and judges tokens: the ring of signing keys, RS256 access tokens (RFC 9068), the cache of
// verified tokens, issuers that are trusted beside our own, and families of refresh tokens (RFC 9700 4.14).
package token
