// Package policies holds the policy files that come with the gateway, each with its tests, and their JSON Schemas.
package policies

import "embed"

// Files are the shipped policy files (*.yaml), their tests (*_test.yaml) and the schemas (*.schema.json).
//
//go:embed *.yaml *.schema.json
var Files embed.FS
