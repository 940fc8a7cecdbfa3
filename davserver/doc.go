// Package davserver is the WebDAV face (RFC 4918 classes 1, 2 and 3) of the core: it translates methods, headers, XML and errors, and
// decides nothing about files.
//
// New returns a handler for one share. Whoever mounts it does the login and puts the actor into the request's context with fs.WithActor;
// only OPTIONS is answered without one. Guard belongs in front of the login, because it bounds the XML that anybody may send. The share must
// see URLs as they came: a router that cleans paths would answer "/dav/../x" with a redirect instead of 400. A wrapper around the
// ResponseWriter has to pass io.ReaderFrom on, or GET loses sendfile; a recovery must let http.ErrAbortHandler through, which cuts the
// connection of a listing that cannot be completed.
//
// # Who serves what
//
// golang.org/x/net/webdav is the base: fileSystem, file, fileInfo and lockSystem implement its interfaces over the core, and its Handler
// serves the methods where it is right. The others were measured wrong or slow and have a handler of their own beside it, over the same
// core.
//
//	method           served by   why not x/net's Handler
//	MKCOL            x/net       (conditions and the body are judged here first)
//	PROPPATCH        here        protects the times and displayname; knows no conditions and no minimal answers
//	PATCH REPORT     here        unknown
//	OPTIONS          here        its Allow and DAV headers are not true for this server
//	GET HEAD         here        405 on collections; no sendfile; sniffs types
//	PUT              here        truncates before the body came; commits a body that was cut off; ignores If-Match; 201 for a replacement
//	DELETE           here        ignores conditions and Depth
//	COPY MOVE        here        delete the target before they look at the source; lose b in MOVE /a/b onto /a; not atomic; Overwrite absent is F
//	PROPFIND         here        opens every entry; unbounded Depth infinity; no quota, creationdate, lockdiscovery; three to seven times slower
//	LOCK UNLOCK      here        no shared locks; no lockdiscovery; any token with a tag opens any lock; UNLOCK works from any URL
//
// # Promises
//
// A change answers 2xx only after the core committed it durably; a request that fails, or whose body ends early, changes nothing.
// Preconditions (If-Match, If-None-Match, If-Unmodified-Since, If) are evaluated before the body is read, so that a client which waits for
// "100 Continue" need not send it, and again inside the core's transaction, which is what counts. The order of refusals is syntax (400),
// login, conditions (412), locks (423); when an If header fails because the lock is somebody else's the answer is 423.
//
// Paths are decoded once. A name is any bytes but '/' and NUL, up to 255; "." and ".." are refused, in the URL, in Destination and in If.
// Symbolic links are followed inside the tenant; what leads nowhere, FIFOs, sockets and devices are absent.
//
// Locks and dead properties live in the database, reached through the core, and survive a restart. A lock lasts ten minutes when the client
// does not say, one hour at most; only its owner or an administrator refreshes or removes it. Dead properties are kept under their XML
// namespace with their inner XML; namespaces that the core uses itself are prefixed with "xmlns:". The core's own properties appear in the
// namespace urn:tote:properties, the members that REST gives a managed object in urn:tote:members.
//
// A PROPFIND is streamed in pieces of 64 KiB from pages of a thousand entries and never opens content. With Depth infinity the answer is
// collected first and refused with 403 propfind-finite-depth when it has more than Options.MaxInfinite entries or grows past 4 MiB. Locks are held up
// to 250; where more are below the path each page reads its own. XML bodies are at most 1 MiB, 10,000 elements and 64 levels; the listing a browser gets has at most 10,000 entries.
//
// Below SyncPrefix the same share has the URLs that clients of Nextcloud expect, and takes large files in chunks, which are pieces of the core
// (fs.NewPiece) until a MOVE makes the file of them. A sync token is good for one collection as long as the core's feed goes back to it.
//
// Clients see a status and a fixed sentence (statuses is the table); the cause of a 5xx goes to the log once, unless it is what they asked for.
// A client that closes its sending side behind its request is answered like any other.
//
// A handler may serve any number of requests at the same time and keeps no memory of a request after it, but for the text of short XML bodies
// that Guard let through: the same few come all the time.
package davserver
