// Package session keeps sessions: it starts them, finds the one behind a cookie, enforces their ends and hands them
// from the single sign-on host to others by tickets.
//
// SQL holds the truth. A Table is one node's bounded copy of it: flat records without pointers for every session seen,
// and a ready-made principal for those in use, so that a request of a known session costs no read, no lock that
// writers hold for long, and no allocation. What changes elsewhere reaches the table as Drop, DropUser and DropAll.
//
// Time: an absolute end is a date, judged by the wall clock, and also by the monotonic time that was left when the
// session was read, so that a clock set back does not lengthen it. Idle time is a duration, judged by monotonic time
// while a session is in memory; only when it is read from SQL does the wall clock count (FAULTS 16).
package session
