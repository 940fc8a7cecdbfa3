package davserver

import (
	"net/http"
	"slices"

	"tote/fs"
)

// wanted is what a PROPFIND asks for. It does not change once it was read.
type wanted struct {
	all     bool       // allprop; named are its <include>
	names   bool       // propname
	live    []liveProp // to look at for every entry
	dead    []name     // asked for by name
	anyDead bool       // the dead properties of every entry must be read
	shown   bool       // displayname is asked for by name
	sums    bool       // and oc:checksums
	locks   bool       // the locks must be read
	minimal bool       // Prefer: return=minimal (RFC 8144) leaves out what is not there
}

// propfind answers with a stream: one pass over the directory, pages of attributes, no content opened.
func (q *request) propfind() error {
	w, err := q.wanted()
	if err != nil {
		return err
	}
	d := q.depth()
	if d == depthInvalid {
		return badDepth()
	}
	cur, err := q.stat(q.path)
	if err != nil {
		return err
	}
	if err := q.precheck(&cur); err != nil {
		return err
	}
	p := &propfinder{q: q, want: w, out: newStream(q.w, q.r)}
	if d == depthInfinity {
		p.deep, p.left, p.out.w = true, q.h.opts.MaxInfinite, nil // nothing is sent before it is known to fit
	}
	return p.run(&cur, d)
}

// wanted is what the request asks for. Another one with the same body may have been read before.
func (q *request) wanted() (*wanted, error) {
	known := guarded(q.ctx)
	w := known.want.Load()
	if w == nil {
		var err error
		if w, err = q.readWanted(); err != nil {
			return nil, err
		}
		known.want.Store(w)
	}
	own := *w
	own.minimal = q.minimal()
	return &own, nil
}

// readWanted reads the body; none means allprop.
func (q *request) readWanted() (*wanted, error) {
	w := &wanted{}
	body, err := parseXML(q.r.Body)
	if err != nil {
		return nil, err
	}
	if body == nil {
		w.all = true
		w.choose(nil)
		return w, nil
	}
	if body.name != dav("propfind") {
		return nil, badXML()
	}
	prop, include := body.kid("prop"), body.kid("include")
	w.all, w.names = body.kid("allprop") != nil, body.kid("propname") != nil
	kinds := 0
	for _, there := range []bool{w.all, w.names, prop != nil} {
		if there {
			kinds++
		}
	}
	if kinds != 1 || include != nil && !w.all {
		return nil, badXML()
	}
	if include != nil {
		prop = include
	}
	w.choose(prop)
	return w, nil
}

// choose splits the names below prop into live and dead ones.
func (w *wanted) choose(prop *element) {
	live := liveProps()
	w.anyDead = w.all || w.names
	asked := map[name]bool{}
	if prop != nil {
		for k := range prop.kids() {
			asked[k.name] = true
			if !slices.ContainsFunc(live, func(p liveProp) bool { return p.name == k.name }) {
				w.dead = append(w.dead, k.name)
			}
		}
	}
	w.anyDead = w.anyDead || len(w.dead) > 0 || asked[displayName]
	w.shown, w.sums = asked[displayName], asked[ocChecksums]
	for _, p := range live {
		if w.names || asked[p.name] || w.all && p.all {
			p.named = asked[p.name]
			w.live = append(w.live, p)
		}
	}
	w.locks = w.all || asked[dav("lockdiscovery")]
}

// propfinder writes one answer.
type propfinder struct {
	q     *request
	want  *wanted
	out   *stream
	locks map[string][]fs.Lock // by path: those that cover the root of the answer and those below it
	paged bool                 // of those below only those on the page at hand
	deep  bool                 // Depth is infinity
	left  int                  // entries that it may still answer
	miss  []byte               // scratch: properties that are not there
}

// maxCollected is how long the answer to a Depth of infinity may be, which is collected before it is sent: dead properties and locks make entries large.
const maxCollected = 4 << 20

// tooDeep refuses a Depth of infinity whose answer would be too large.
func tooDeep() error {
	return refuseXML(http.StatusForbidden, "too many entries for Depth: infinity", "<D:propfind-finite-depth/>")
}

// listSize is how many entries are asked of the core at once.
const listSize = 1000

// run writes the root of the answer and, as depth says, what is below it.
func (p *propfinder) run(root *fs.Info, d depth) error {
	if err := p.findLocks(d != depthZero); err != nil {
		return err
	}
	p.out.buf = append(make([]byte, 0, 4096), multiOpen...)
	if err := p.entries(p.q.path, []fs.Info{*root}, false); err != nil {
		return err
	}
	err := error(nil)
	switch {
	case !root.IsDir() || d == depthZero:
	case d == depthOne:
		err = p.list(p.q.path, nil)
	default:
		err = p.tree(root)
	}
	if err != nil {
		return p.broken(err)
	}
	p.out.buf = append(p.out.buf, multiClose...)
	p.out.w = p.q.w
	p.out.finish()
	return nil
}

// broken ends an answer that cannot be completed: as an error while nothing was sent, else by cutting the connection, because half a
// listing looks like a whole one.
func (p *propfinder) broken(err error) error {
	if !p.out.sent {
		return err
	}
	p.q.logFailure(http.StatusInternalServerError, err)
	panic(http.ErrAbortHandler)
}

// list writes the entries of one directory and shows each page to seen.
func (p *propfinder) list(dir string, seen func(infos []fs.Info) error) error {
	for after := uint64(0); ; {
		infos, next, err := p.q.h.fsys.List(p.q.ctx, p.q.actor, dir, after, listSize)
		if err != nil {
			return err
		}
		if seen != nil {
			if err := seen(infos); err != nil {
				return err
			}
		}
		if err := p.entries(dir, p.q.h.listed(infos), true); err != nil {
			return err
		}
		if after = next; next == 0 || p.out.err != nil {
			return nil
		}
	}
}

// tree is list for every directory below root, in breadth. It enters a directory only from the one that holds it, since symlinks to others
// may lead in circles.
func (p *propfinder) tree(root *fs.Info) error {
	type dir struct {
		path string
		ino  fs.Ino
	}
	queue := []dir{{p.q.path, root.Ino()}}
	for len(queue) > 0 {
		d := queue[0]
		queue = queue[1:]
		err := p.list(d.path, func(infos []fs.Info) error {
			if p.left -= len(infos); p.left < 0 {
				return tooDeep()
			}
			for _, i := range infos {
				if i.IsDir() && i.Attr().Parent == d.ino && i.Ino() != d.ino { // the root is its own parent
					queue = append(queue, dir{childOf(d.path, i.Name()), i.Ino()})
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// entries writes one page. dir is the path of their directory, or with named false the path of the only entry itself.
func (p *propfinder) entries(dir string, infos []fs.Info, named bool) error {
	if (p.want.anyDead || p.paged) && len(infos) > deadPage {
		for part := range slices.Chunk(infos, deadPage) {
			if err := p.entries(dir, part, named); err != nil {
				return err
			}
		}
		return nil
	}
	dead, err := p.deadOf(infos)
	if err != nil {
		return err
	}
	if named {
		if err := p.pageLocks(dir, infos); err != nil {
			return err
		}
	}
	for i := range infos {
		e := entry{q: p.q, path: dir, info: &infos[i], dead: dead[infos[i].Ino()]}
		if named {
			e.path = childOf(dir, e.info.Name())
		}
		e.locks = p.covering(e.path)
		p.entry(&e)
		p.out.full()
	}
	if p.deep && len(p.out.buf) > maxCollected {
		return tooDeep()
	}
	return nil
}

// deadPage is how many entries' dead properties, and locks where there are very many, are held at once.
const deadPage = 64

// deadOf reads the dead properties of a page, if anybody asked for one.
func (p *propfinder) deadOf(infos []fs.Info) (map[fs.Ino][]fs.Property, error) {
	if !p.want.anyDead {
		return nil, nil
	}
	inos := make([]fs.Ino, len(infos))
	for i := range infos {
		inos[i] = infos[i].Ino()
	}
	if p.want.all || p.want.names {
		all, err := p.q.h.fsys.AllPropsOf(p.q.ctx, p.q.actor, inos)
		if err == nil && p.want.sums {
			err = p.checksums(inos, all)
		}
		return all, err
	}
	all := make(map[fs.Ino][]fs.Property)
	err := p.deadIn(p.want.spaces(), inos, all)
	if err == nil && p.want.sums {
		err = p.checksums(inos, all)
	}
	return all, err
}

// checksums adds the property oc:checksums of those that have it.
func (p *propfinder) checksums(inos []fs.Ino, all map[fs.Ino][]fs.Property) error {
	kept, err := p.q.h.fsys.PropsOf(p.q.ctx, p.q.actor, inos, fs.SpaceDigests)
	if err != nil || len(kept) == 0 {
		return err
	}
	sums, err := p.q.h.fsys.SumsOf(p.q.ctx, p.q.actor, inos)
	if err != nil {
		return err
	}
	for ino, props := range kept {
		if d := fs.DigestsOf(props[0], sums[ino]); d != "" {
			all[ino] = append(all[ino], fs.Property{Space: ocNS, Name: ocChecksums.Local, Value: string(appendChecksums(nil, d))})
		}
	}
	return nil
}

// spaces lists where the dead properties asked for by name are kept.
func (w *wanted) spaces() []string {
	var spaces []string
	if w.shown {
		spaces = append(spaces, davNS)
	}
	for _, n := range w.dead {
		if s := spaceOf(n.Space); !slices.Contains(spaces, s) {
			spaces = append(spaces, s)
		}
	}
	return spaces
}

// deadIn reads the properties of some spaces for a whole page.
func (p *propfinder) deadIn(spaces []string, inos []fs.Ino, all map[fs.Ino][]fs.Property) error {
	for _, s := range spaces {
		some, err := p.q.h.fsys.PropsOf(p.q.ctx, p.q.actor, inos, s)
		if err != nil {
			return err
		}
		for ino, props := range some {
			all[ino] = append(all[ino], props...)
		}
	}
	return nil
}

// maxHeldLocks is how many locks below the request's path are held in memory. Each may have an owner of 8 KiB.
const maxHeldLocks = 250

// findLocks reads the locks on, above and, with deep, below the request's path in two queries. When too many are below, each page reads its own.
func (p *propfinder) findLocks(deep bool) error {
	if !p.want.locks {
		return nil
	}
	p.locks = map[string][]fs.Lock{}
	over, err := p.q.h.fsys.Locks(p.q.ctx, p.q.actor, p.q.path)
	if err != nil {
		return err
	}
	p.hold(over)
	if !deep {
		return nil
	}
	under, err := p.q.h.fsys.LocksBelow(p.q.ctx, p.q.actor, p.q.path, maxHeldLocks)
	if p.paged = len(under) == maxHeldLocks; err == nil && !p.paged {
		p.hold(under)
	}
	return err
}

// hold remembers locks by their paths.
func (p *propfinder) hold(locks []fs.Lock) {
	for _, l := range locks {
		p.locks[l.Path] = append(p.locks[l.Path], l)
	}
}

// pageLocks reads the locks over a directory and on those of its entries that a page shows, when all locks together are too many to be held.
func (p *propfinder) pageLocks(dir string, infos []fs.Info) error {
	if !p.paged {
		return nil
	}
	paths := make([]string, len(infos))
	for i := range infos {
		paths[i] = childOf(dir, infos[i].Name())
	}
	over, err := p.q.h.fsys.Locks(p.q.ctx, p.q.actor, dir)
	if err != nil {
		return err
	}
	on, err := p.q.h.fsys.LocksOn(p.q.ctx, p.q.actor, paths)
	p.locks = map[string][]fs.Lock{}
	p.hold(over)
	p.hold(on)
	return err
}

// covering lists the locks on path and the infinite ones above it.
func (p *propfinder) covering(path string) []fs.Lock {
	if len(p.locks) == 0 {
		return nil
	}
	locks := slices.Clip(p.locks[path])
	for path != "/" {
		path = parentOf(path)
		for _, l := range p.locks[path] {
			if l.Infinite {
				locks = append(locks, l)
			}
		}
	}
	return locks
}
