package policyfile

import (
	"fmt"
	"regexp"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// effects by name.
var effects = map[string]policy.Effect{
	"allow": policy.EffectAllow, "public": policy.EffectPublic, "require": policy.EffectRequire, "deny": policy.EffectDeny,
}

// ruleID leaves out what the names of Caddyfile rules have (caddyfile:public#1), so neither can pass for the other.
var ruleID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func (l *loader) rules(r *reader, n *yaml.Node, stem string) {
	for i, item := range r.items(n, "rules") {
		if rule, ok := l.rule(r, item, i+1); ok {
			l.doc.Rules = append(l.doc.Rules, Rule{rule, stem})
		}
	}
}

// rule reads one rule; what it gives counts only when no problem was found.
func (l *loader) rule(r *reader, n *yaml.Node, number int) (policy.Rule, bool) {
	rule := policy.Rule{FromFile: true, At: r.at(n)}
	what := fmt.Sprintf("rule %d", number)
	if n.Kind == yaml.MappingNode { // the other mistakes are told with its name
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "id" && n.Content[i+1].ShortTag() == "!!str" && ruleID.MatchString(n.Content[i+1].Value) {
				what = "rule " + quote(n.Content[i+1].Value)
			}
		}
	}
	keys := r.keys(n, what, "id", "effect", "hosts", "methods", "paths", "networks", "to", "require", "when", "reason",
		"mode")
	if n.Kind != yaml.MappingNode {
		return rule, false
	}
	l.id(r, n, keys, what, &rule)
	l.effect(r, n, keys, what, &rule)
	l.where(r, keys, what, &rule)
	l.who(r, n, keys, what, &rule)
	if k, ok := keys["when"]; ok {
		l.when(r, k, what, &rule)
	}
	if k, ok := keys["reason"]; ok {
		w, _ := r.text(k.value, "reason of "+what)
		if len(w.text) > 500 {
			r.fail(k.value, "reason of %s: it is longer than 500 bytes", what)
		}
		rule.Reason = w.text
	}
	if k, ok := keys["mode"]; ok {
		w, ok := r.text(k.value, "mode of "+what)
		if ok && w.text != "enforce" && w.text != "report" {
			r.fail(k.value, "mode of %s: %s is neither enforce nor report%s", what, quote(w.text),
				r.hint(w.text, []string{"enforce", "report"}))
		}
		rule.Report = w.text == "report"
	}
	return rule, true
}

func (l *loader) id(r *reader, n *yaml.Node, keys map[string]pair, what string, rule *policy.Rule) {
	k, ok := keys["id"]
	if !ok {
		r.fail(n, "%s has no id; audit and explanations name it by one, such as orders-write", what)
		return
	}
	w, ok := r.text(k.value, "id of "+what)
	switch {
	case !ok:
		return
	case !ruleID.MatchString(w.text):
		r.fail(k.value, "id %s: it is made of letters, digits, - _ and .", quote(w.text))
		return
	}
	if l.ids == nil {
		l.ids = map[string]policy.Position{}
	}
	if first, twice := l.ids[w.text]; twice {
		r.fail(k.value, "there are two rules %s; the first is at %s", quote(w.text), first)
		return
	}
	rule.ID, l.ids[w.text] = w.text, r.at(k.value)
}

func (l *loader) effect(r *reader, n *yaml.Node, keys map[string]pair, what string, rule *policy.Rule) {
	k, ok := keys["effect"]
	if !ok {
		r.fail(n, "%s has no effect: public, allow, require or deny", what)
		return
	}
	if w, ok := r.text(k.value, "effect of "+what); ok {
		if rule.Effect = effects[w.text]; rule.Effect == 0 {
			r.fail(k.value, "effect of %s: %s is not one of public, allow, require, deny%s", what, quote(w.text),
				r.hint(w.text, sortedKeys(effects)))
		}
	}
}

func (l *loader) when(r *reader, k pair, what string, rule *policy.Rule) {
	w, ok := r.text(k.value, "when of "+what)
	if !ok {
		return
	}
	c, err := l.conditions(w.text, l.doc.Networks)
	if err != nil {
		r.conditionProblem(k.value, what, err)
		return
	}
	rule.When = c
}

// who reads `to` and `require`.
func (l *loader) who(r *reader, n *yaml.Node, keys map[string]pair, what string, rule *policy.Rule) {
	to, hasTo := keys["to"]
	req, hasRequire := keys["require"]
	switch rule.Effect {
	case policy.EffectPublic:
		if hasTo {
			r.fail(to.key, "%s: a public rule is for everyone, signed in or not; leave `to` out or write effect: allow", what)
			return
		}
	case policy.EffectAllow: // it must say that it is for everyone, lest a forgotten line open a site
		if !hasTo {
			r.fail(n, "%s does not say whom it allows; write `to: anyone_signed_in`, or a role, permission, user or client",
				what)
		}
	case policy.EffectRequire: // does it hold for them, or does it ask that one is one of them? Neither is guessed
		if hasTo {
			r.fail(to.key,
				"%s: a require rule has no `to`; write `require: {role: …}` when they must be one of these, or a `when` on user.roles when it is about these only", what)
		}
		if !hasRequire {
			r.fail(n,
				"%s requires nothing; write `require: {mfa: true}`, passkey, max_age, networks, role, permission, user or client",
				what)
			return
		}
		l.require(r, req.value, what, rule)
		return
	}
	if hasRequire && rule.Effect != 0 {
		r.fail(req.key, "%s: only a rule with `effect: require` has `require`; write a second rule beside this one", what)
	}
	if hasTo {
		l.to(r, to.value, what, rule)
	}
}

// whoKeys name users, in `to` and in `require`.
var whoKeys = []string{"role", "permission", "user", "client"}

const anyoneSignedIn = "anyone_signed_in"

func (l *loader) to(r *reader, n *yaml.Node, what string, rule *policy.Rule) {
	if n.Kind == yaml.ScalarNode && n.Value == anyoneSignedIn {
		l.anyone(r, n, what, rule)
		return
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		r.fail(n, "to of %s: %s is not %s; name users as `to: {role: %s}`%s", what, quote(n.Value), anyoneSignedIn, "editor",
			r.hint(n.Value, []string{anyoneSignedIn}))
		return
	}
	keys := r.keys(n, "to of "+what, append([]string{anyoneSignedIn}, whoKeys...)...)
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.fail(n, "to of %s: it names no user", what)
	}
	if k, ok := keys[anyoneSignedIn]; ok && r.yes(k.value, anyoneSignedIn+" of "+what) {
		if len(keys) > 1 {
			r.fail(k.key, "to of %s: with %s no other user needs a name", what, anyoneSignedIn)
		}
		l.anyone(r, k.key, what, rule)
	}
	l.people(r, keys, what, rule)
}

// anyone: a deny rule that names no user is about anonymous visitors too, which is more than these words say.
func (l *loader) anyone(r *reader, n *yaml.Node, what string, rule *policy.Rule) {
	if rule.Effect == policy.EffectDeny {
		r.fail(n, "%s: a deny rule is for everyone when it has no `to`; %s would spare those who are not signed in", what,
			anyoneSignedIn)
	}
}

func (l *loader) people(r *reader, keys map[string]pair, what string, rule *policy.Rule) {
	into := map[string]*[]string{"role": &rule.Roles, "permission": &rule.Permissions, "user": &rule.Users,
		"client": &rule.Clients}
	for _, key := range whoKeys {
		k, ok := keys[key]
		if !ok {
			continue
		}
		for _, w := range r.oneOrMore(k.value, key+" of "+what) {
			if l.person(r, key, w, what) {
				*into[key] = append(*into[key], w.text)
			}
		}
	}
}

func (l *loader) person(r *reader, key string, w word, what string) bool {
	switch key {
	case "role":
		switch {
		case !validRole(w.text):
			r.fail(w.node, "role %s in %s: a name is 1 to 64 characters without spaces, commas and bars", quote(w.text), what)
		case len(l.written) > 0 && !l.knows(w.text):
			r.fail(w.node, "unknown role %s in %s%s", quote(w.text), what, r.hint(w.text, l.roleNames()))
		default:
			return true
		}
		return false
	case "permission":
		if err := policy.CheckPermission(w.text); err != nil {
			r.fail(w.node, "%s: %v", what, err)
			return false
		}
	}
	return true
}

func (l *loader) require(r *reader, n *yaml.Node, what string, rule *policy.Rule) {
	keys := r.keys(n, "require of "+what, append([]string{"mfa", "passkey", "max_age", "networks"}, whoKeys...)...)
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.fail(n, "require of %s: it requires nothing", what)
	}
	var ask identity.Assurance
	if k, ok := keys["mfa"]; ok {
		ask.MFA = r.yes(k.value, "mfa of "+what)
	}
	if k, ok := keys["passkey"]; ok {
		ask.Passkey = r.yes(k.value, "passkey of "+what)
	}
	if k, ok := keys["max_age"]; ok {
		ask.MaxAge = r.duration(k.value, "max_age of "+what)
	}
	if k, ok := keys["networks"]; ok {
		rule.Networks = l.named(r, k.value, "networks of "+what)
	}
	rule.Assurance = ask
	l.people(r, keys, what, rule)
}
