/*
 * control: the socket through which `jitsu` and programs talk to the warden.
 *
 * UNIX stream, one JSON object per line (UTF-8, at most LIMIT_CONTROL_REQUEST bytes with its
 * newline) each way:
 *
 *     → {"v":1,"verb":"show","name":"www.example.test"}
 *     ← {"v":1,"ok":true,"data":{...}}          or {"v":1,"ok":false,"error":"a sentence"}
 *
 * Requests of one connection are answered in order; the next one is looked at when the answer
 * before it has left.  A connection on which `follow` was granted gets {"v":1,"event":{...}} lines
 * until it closes, and no further requests are read from it.  Who asks is read from the socket's
 * peer credentials: verbs marked admin_only are for root, the daemon's own user and the uids of
 * control_set_admins; the others are for whoever the socket's mode lets connect.
 *
 * Everything runs on the loop given to control_new and never blocks.  SIGPIPE must be ignored by
 * the process (control_new does it).
 *
 * What the verbs' data look like (fields may be added; a program ignores what it does not know;
 * absent or null = unknown):
 *
 *   list     array of { name, state, standby: its VM waits to run, memory_now: bytes that it takes,
 *     conflict: text, waits_for, queue_position, image, driver, addresses: [text], boots,
 *     last_boot_ms, idle_s, sleeps_in_s }
 *   show     such an object, and { aliases: [name], mac, uuid, pid, domid, memory: bytes,
 *            policy: { idle_ms, hold_ms, min_up_ms, unused_after_ms, ready: text, sleep: text,
 *            idle_below_bytes, idle_below_s, keep_open, schedule: [text],
 *            wake_on: [text] (null: any packet), passive_from: [text], passive_port, answer,
 *            after, freeze_then: text, save_failed },
 *            needs: [{ name, after: ready | started, state }],
 *            woken_by, since_s, crashes, failures, queries, backoff_s, last_error, console: text,
 *            file, line,
 *            durations_us: as in events, of the last boot that failed or else of the last wake }
 *   why      { name, state, text: a sentence, waits_for, queue_position, sleeps_in_s,
 *            reasons: [{ kind, what, age_s, left_s, peer, port, bytes }] }; args: name
 *   aside    array of the objects of list with the state "aside", which have besides
 *            vm: awake | frozen | saved | stopping, uuid, pid, domid, why
 *   destroy  { name, uuid }, when the VM has gone; args: name (or UUID)
 *   held     array of { address, owner, handed_out, removed, until: seconds since 1970,
 *            refused_to: name }; args: all (true: those in use, too)
 *   release  { address, owner, unit: name that has it now }; args: name (the address)
 *   events   array of { time: seconds.microseconds, unit, kind, durations_us: { spawn, alive,
 *     ready, answer }, text }; args: name, limit, follow
 *   console  { name, text }; args: name
 *   wake     { name, state, boot_ms, addresses }, when the unit is ready; args: name,
 *            progress (true: before that, each time what it waits for changes, an event { unit,
 *            kind: waits | boots, waits_for, queue_position, text })
 *   sleep    { name, state }, when the VM has gone or is frozen; args: name
 *   reload   { zones, refused, units, units_refused, warnings: [text] }; fails with every finding,
 *            one per line
 *   dump     { name, serial, index } and beside it the sealed image whose zone `index` it is, as
 *     a descriptor; args: name
 *   status   { version, pid, uptime_s, zones_failed, zones_old, zones: [{ name, state: ok
 *            | old | failed, serial, units, file, error }], children: [{ name, pid, restarts }],
 *            counters: { queries, transports: { UDP: n, ... }, types: { A: n, ... }, answers,
 *            rcodes: { NOERROR: n, ... }, held, held_for: { "below 1 ms": n, ... }, deferred,
 *            wakes, boots, ... }, limits: { name: { used, most } } }; args: bad_zones (true: no
 *            zone that is ok)
 */
#ifndef SRC_CONTROL_CONTROL_H
#define SRC_CONTROL_CONTROL_H

#include <sys/types.h>

#include <event2/event.h>

#include "base/limits.h"
#include "src/control/proto.h"     /* its lines, for both ends */
#include "src/control/types.h"     /* verbs and requests */

#define CONTROL_PATH "/run/jitsu/control"

/*
 * Listens on `path`: mode 0660 and group `group`; if there is no such group, or its owner may not
 * be changed, mode 0600 and a line in the log.  A socket file that nobody listens on is replaced;
 * one that answers is left alone: ERR_EXISTS "another jitsud listens on PATH".  Anything else at
 * `path` is refused.  `verbs` ends with a NULL name; it and `group` must outlive the control,
 * `path` need not.
 */
enum err control_new(struct event_base *base, const char *path, const char *group,
    const struct control_verb *verbs, void *arg, struct control **control, struct errmsg *m);
const char *control_path(const struct control *c);
/* Makes anew a socket file that was removed; connections go on.  Errors as control_new. */
enum err control_keep(struct control *c, struct errmsg *m);
/* Closes every connection and removes the socket file if it is still ours.  NULL is allowed. */
void control_free(struct control *c);
/* Who may use admin_only verbs besides root and our own user; copied. */
void control_set_admins(struct control *c, const uid_t *uids, size_t n);
/* Answers; takes over `data`: NULL, as from a failed json_pack, becomes "out of memory". */
void control_reply(struct control_request *req, json_t *data);
/* The same with a descriptor beside it (SCM_RIGHTS), which stays the caller's. */
void control_reply_fd(struct control_request *req, json_t *data, int fd);
/*
 * Tells who waits for an answer how it goes, as an event line before it; takes over `event`.
 * False: it was not sent, because the client left, has not read what came before, or memory ran
 * out.  Only for who asked for it: others take the first line for the answer.
 */
bool control_progress(struct control_request *req, json_t *event);
/*
 * Answers with a failure.  `see`, or NULL: the reading verb in whose answer the client looks for
 * the name that may have been meant, since comparing many takes a while.
 */
void control_fail_see(struct control_request *req, const char *see, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define control_fail(req, ...) control_fail_see(req, NULL, __VA_ARGS__)

/*
 * Makes the connection a follower of `unit`'s events (NULL: of all) once the request is answered
 * with control_reply; call it before reading the history.  Events that are pushed between this call
 * and the answer are sent behind the answer, so that a history from store_events_read and what
 * follows have neither gap nor overlap.  ERR_NOMEM: fail the request.
 */
enum err control_follow(struct control_request *req, const char *unit);
/* Sends the caller's event to followers of `unit` and of all; who does not read is disconnected. */
void control_event_push(struct control *c, const char *unit, json_t *event);
/* Is anybody following?  Saves making the JSON. */
bool control_has_followers(const struct control *c);

/* ---- for handlers ---- */

/*
 * The `name` of a request, normalized (lower case, no final dot).  When it is absent, no string or
 * no possible name: with `need` the request is failed with a sentence and false is returned (do
 * nothing more with it); without, an absent name gives true and "".
 */
bool control_arg_name(
    struct control_request *req, const json_t *args, bool need, char name[LIMIT_NAME_TEXT]);
/* Lower case, no final dot but the root's; ERR_PARSE: empty, too long, or not printable. */
enum err control_name_normalize(const char *in, char out[LIMIT_NAME_TEXT], struct errmsg *m);
uid_t control_request_uid(const struct control_request *req);

#endif
