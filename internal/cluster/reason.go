package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// reason says why Redis did not do what it was asked, as an operator can act on it. It names the server's own word for
// it, and neither user nor password, nor the ports of one connection: the same trouble has the same text.
func reason(err error) string {
	var name *net.DNSError
	var network *net.OpError
	text := err.Error()
	switch {
	case answered(err):
		return reply(text)
	case errors.Is(err, context.DeadlineExceeded):
		return "redis did not answer in time"
	case errors.As(err, &name):
		return "the name of the redis server has no address"
	case errors.As(err, &network):
		return network.Op + " redis: " + network.Err.Error()
	}
	return text
}

// scriptDenied is Redis 7's word for a command in a script that the user may not run; it does not name the command.
const scriptDenied = "can't run this command"

// refused reports whether a server refuses this user, password, database or command: time does not change that.
func refused(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return false
	}
	text := reply.Error()
	for _, sign := range []string{"WRONGPASS", "NOAUTH", "NOPERM", "ACL failure", scriptDenied, "DB index is out of range",
		"without any password configured"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// reply explains what a server refused.
func reply(text string) string {
	word, _, _ := strings.Cut(text, " ")
	switch {
	case word == "WRONGPASS":
		return "redis refused the user or the password (WRONGPASS)"
	case word == "NOAUTH":
		return "redis wants a password and the url has none (NOAUTH)"
	case strings.Contains(text, "without any password configured"):
		return "the url has a password, and redis has none configured for the default user"
	case strings.Contains(text, "DB index is out of range"):
		return "redis has no database of this number (DB index is out of range)"
	case word == "NOPERM", strings.Contains(text, "ACL failure"), strings.Contains(text, scriptDenied):
		return "redis does not permit this user all commands or keys that are needed (NOPERM): " + noperm(text)
	case word == "OOM":
		return "redis is full (OOM): raise maxmemory"
	case word == "READONLY", word == "LOADING", word == "MASTERDOWN", word == "MISCONF", word == "CLUSTERDOWN":
		return "redis takes no writes now (" + word + ")"
	}
	return text[:min(len(text), 200)]
}

// noperm takes the command out of the server's text, which also has the name of the user.
func noperm(text string) string {
	if strings.Contains(text, scriptDenied) {
		return "a command in a script; scripts need time, get, set and del"
	}
	if _, command, ok := strings.Cut(text, "run the '"); ok {
		command, _, _ = strings.Cut(command, "'")
		return "command " + command[:min(len(command), 40)]
	}
	return "the keys that begin with the prefix"
}

// reasoned is an error with its reason as text, and its cause for errors.Is.
type reasoned struct{ cause error }

func (e reasoned) Error() string { return reason(e.cause) }
func (e reasoned) Unwrap() error { return e.cause }

func explained(what string, err error) error { return fmt.Errorf("%s: %w", what, reasoned{err}) }
