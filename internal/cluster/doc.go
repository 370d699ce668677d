package cluster

// What an operator of Redis needs to know.
//
// Keys, all under the prefix (default "truxe:"):
//
// 	revocations       stream of events: kind, name, at, expires, node; trimmed to about 100,000 entries
// 	revoked:<jti>     the jti itself, until the token's exp
// 	epoch             a random mark; gone or changed means that Redis lost its data
// 	node:<id>         "1" for 5 s: the node's write probe
// 	value:<key>       sign-in flows, tickets, ways back; short-lived
// 	limit:{g}:<hash>  counters of tries; short-lived, keys are keyed hashes
//
// Commands (OP-02). This user suffices for one server and for the servers behind Sentinel:
//
// 	ACL SETUSER truxe on >password resetkeys ~truxe:* resetchannels -@all
// 	  +hello +get +getdel +set +del +xadd +xread +xinfo|stream +eval +evalsha +time +multi +exec +info
//
// and in addition +select with a database number other than 0, and in Redis Cluster
// +cluster|slots +cluster|shards +command +asking +ping.
// A user at the sentinels needs +hello +ping +subscribe +psubscribe
// +sentinel|get-master-addr-by-name +sentinel|sentinels +sentinel|replicas and allchannels.
// No KEYS, SCAN, FLUSH or CONFIG.
//
// Times and sizes (OP-05):
//
// 	a call                  250 ms in all, waiting for a connection included; never retried
// 	dialling                1 s, in the background of the call that needed it
// 	breaker                 opens after 5 calls in a row that found no server; refuses for 500 ms, then lets one probe through
// 	write probe             each second, each 250 ms while it fails
// 	connections             at most 32 for calls (4 kept open) and 4 for the feed, per node of Redis
// 	feed                    waits 1 s for entries, abandons a round after 2.5 s, dials again after 50 ms growing to 500 ms
// 	silence before Resync   3 s
//
// A lost feed never means "not revoked": the node is told nothing more (FeedHandler.Alive stays away) and judges by
// its own copy until that is too old. A lost call is ErrUnavailable, never "absent" or "allowed".
//
// Redis should keep maxmemory-policy noeviction. It needs no persistence: after FLUSHALL or a restart with empty
// memory the nodes see the missing epoch within about a second, read SQL and fill it again.
