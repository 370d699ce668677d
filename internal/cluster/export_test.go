package cluster

import "time"

// SetCallTimeout replaces the limit of one call, for tests about what calls do and not about how long they may take.
func (o *Options) SetCallTimeout(d time.Duration) { o.callTimeout = d }

// CallTimeout is the limit of one call.
const CallTimeout = callTimeout
