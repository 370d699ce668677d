package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Check asks Redis what an operator should know at start and from `doctor`: an old version, a policy that evicts keys,
// plain text. Warnings are sentences to show; an error means that Redis did not answer or is too old.
func (r *Redis) Check(ctx context.Context) (warnings []string, err error) {
	warnings = r.opts.Warnings()
	var text string
	err = r.call(ctx, "ask redis about itself", func(ctx context.Context) error {
		var err error
		text, err = r.calls.Info(ctx, "server", "memory").Result()
		return err
	})
	if err != nil {
		return warnings, err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	major, _, _ := strings.Cut(info["redis_version"], ".")
	if n, err := strconv.Atoi(major); err != nil || n < 7 {
		return warnings, fmt.Errorf("redis %.20q is too old: version 7 or later is needed", info["redis_version"])
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		warnings = append(warnings, "redis may evict keys (maxmemory-policy "+policy+"): counters of failed sign-ins can be "+
			"forgotten early; set it to noeviction. Nothing becomes un-revoked by it.")
	}
	return warnings, nil
}
