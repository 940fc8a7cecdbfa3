package meta

import (
	"context"
	"log/slog"
	"syscall"
	"time"
)

type Options struct {
	Now       func() time.Time
	Logger    *slog.Logger
	ReadConns int
	NoSync    bool
	InoBlock  int
	Grace     time.Duration
}
type DB struct{}

const e = syscall.ENOSYS

func Open(ctx context.Context, path string, o Options) (*DB, error) { return nil, e }
func (db *DB) Close() error                                         { return e }
func (db *DB) Flush(ctx context.Context) error                      { return e }
func (db *DB) EnsureTenant(ctx context.Context, name string, mode, uid, gid uint32, d Durability) (Tenant, error) {
	return Tenant{}, e
}
func (db *DB) TenantByName(ctx context.Context, name string) (Tenant, error)     { return Tenant{}, e }
func (db *DB) Tenants(ctx context.Context) ([]Tenant, error)                     { return nil, e }
func (db *DB) Usage(ctx context.Context, tenant int64) (Usage, error)            { return Usage{}, e }
func (db *DB) Lookup(ctx context.Context, parent Ino, name string) (Attr, error) { return Attr{}, e }
func (db *DB) GetAttr(ctx context.Context, ino Ino) (Attr, error)                { return Attr{}, e }
func (db *DB) Readlink(ctx context.Context, ino Ino) (string, error)             { return "", e }
func (db *DB) Names(ctx context.Context, ino Ino) ([]Link, error)                { return nil, e }
func (db *DB) Path(ctx context.Context, ino Ino) (string, error)                 { return "", e }
func (db *DB) WalkPath(ctx context.Context, root Ino, parts []string) ([]Attr, error) {
	return nil, e
}
func (db *DB) ReadDir(ctx context.Context, dir Ino, after uint64, limit int) ([]Dirent, error) {
	return nil, e
}
func (db *DB) ReadNames(ctx context.Context, dir Ino, after uint64, limit int) ([]Dirent, error) {
	return nil, e
}
func (db *DB) Create(ctx context.Context, a CreateArgs, d Durability) (Attr, error) { return Attr{}, e }
func (db *DB) Unlink(ctx context.Context, a UnlinkArgs, d Durability) (Removed, error) {
	return Removed{}, e
}
func (db *DB) Rmdir(ctx context.Context, a UnlinkArgs, d Durability) (Removed, error) {
	return Removed{}, e
}
func (db *DB) RemoveTree(ctx context.Context, a RemoveTreeArgs, d Durability) (RemovedTree, error) {
	return RemovedTree{}, e
}
func (db *DB) Link(ctx context.Context, a LinkArgs, d Durability) (Attr, error) { return Attr{}, e }
func (db *DB) Rename(ctx context.Context, a RenameArgs, d Durability) (Renamed, error) {
	return Renamed{}, e
}
func (db *DB) SetAttr(ctx context.Context, ino Ino, s SetAttr, origin string, d Durability) (Attr, error) {
	return Attr{}, e
}
func (db *DB) Touch(ctx context.Context, u []TimeUpdate, d Durability) error { return e }
func (db *DB) Commit(ctx context.Context, a CommitArgs, d Durability) (Committed, error) {
	return Committed{}, e
}
func (db *DB) MarkStored(ctx context.Context, s []Stored, d Durability) error             { return e }
func (db *DB) SetSums(ctx context.Context, id int64, sum, md5 string, d Durability) error { return e }
func (db *DB) VersionsToSum(ctx context.Context, limit int) ([]Version, error)            { return nil, e }
func (db *DB) CurrentVersion(ctx context.Context, ino Ino) (Version, error)               { return Version{}, e }
func (db *DB) VersionByID(ctx context.Context, id int64) (Version, error)                 { return Version{}, e }
func (db *DB) VersionsByGUID(ctx context.Context, guid string) ([]Version, error)         { return nil, e }
func (db *DB) VersionsOf(ctx context.Context, ino Ino) ([]Version, error)                 { return nil, e }
func (db *DB) LiveKey(ctx context.Context, key string) (bool, error)                      { return false, e }
func (db *DB) Pending(ctx context.Context) ([]Version, []Redo, error)                     { return nil, nil, e }
func (db *DB) EachVersion(ctx context.Context, afterID int64, limit int) ([]Version, error) {
	return nil, e
}
func (db *DB) Orphans(ctx context.Context) ([]Attr, error) { return nil, e }
func (db *DB) DropOrphan(ctx context.Context, ino Ino, d Durability) (Removed, error) {
	return Removed{}, e
}
func (db *DB) DueIntents(ctx context.Context, now int64, limit int) ([]Intent, error) { return nil, e }
func (db *DB) ClaimIntent(ctx context.Context, key string, d Durability) (bool, error) {
	return false, e
}
func (db *DB) FinishIntent(ctx context.Context, key string, d Durability) error         { return e }
func (db *DB) AddIntent(ctx context.Context, key string, due int64, d Durability) error { return e }
func (db *DB) CountIntents(ctx context.Context) (int64, error)                          { return 0, e }
func (db *DB) BeginUpload(ctx context.Context, u Upload, d Durability) error            { return e }
func (db *DB) FinishUpload(ctx context.Context, id string, d Durability) error          { return e }
func (db *DB) ForgetUpload(ctx context.Context, id string, d Durability) error          { return e }
func (db *DB) Uploads(ctx context.Context, done bool) ([]Upload, error)                 { return nil, e }
func (db *DB) GetXattr(ctx context.Context, ino Ino, name string) ([]byte, error)       { return nil, e }
func (db *DB) SetXattr(ctx context.Context, ino Ino, name string, value []byte, f XattrFlags, origin string, d Durability) error {
	return e
}
func (db *DB) ListXattr(ctx context.Context, ino Ino) ([]string, error) { return nil, e }
func (db *DB) RemoveXattr(ctx context.Context, ino Ino, name, origin string, d Durability) error {
	return e
}
func (db *DB) HasXattrs(ctx context.Context, ino Ino) (bool, error)   { return false, e }
func (db *DB) Props(ctx context.Context, ino Ino) ([]Property, error) { return nil, e }
func (db *DB) PropsOf(ctx context.Context, inos []Ino, space string) (map[Ino][]Property, error) {
	return nil, e
}
func (db *DB) PatchProps(ctx context.Context, ino Ino, set, remove []Property, origin string, d Durability) error {
	return e
}
func (db *DB) InosByProp(ctx context.Context, tenant int64, space, name, value string) ([]Ino, error) {
	return nil, e
}
func (db *DB) Files(ctx context.Context, q FileQuery) ([]FileRow, error)               { return nil, e }
func (db *DB) CountFiles(ctx context.Context, q FileQuery) (int64, error)              { return 0, e }
func (db *DB) PutUser(ctx context.Context, u User, d Durability) error                 { return e }
func (db *DB) GetUser(ctx context.Context, tenant, name string) (User, error)          { return User{}, e }
func (db *DB) DeleteUser(ctx context.Context, tenant, name string, d Durability) error { return e }
func (db *DB) Users(ctx context.Context, tenant string) ([]User, error)                { return nil, e }
func (db *DB) Locks(ctx context.Context, tenant int64) ([]Lock, error)                 { return nil, e }
func (db *DB) AddLock(ctx context.Context, l Lock, check func(existing []Lock) error, d Durability) error {
	return e
}
func (db *DB) RefreshLock(ctx context.Context, tenant int64, token string, expires time.Time, d Durability) (Lock, error) {
	return Lock{}, e
}
func (db *DB) DeleteLock(ctx context.Context, tenant int64, token string, d Durability) error {
	return e
}
func (db *DB) DeleteLocksUnder(ctx context.Context, tenant int64, path string, d Durability) error {
	return e
}
func (db *DB) ExpireLocks(ctx context.Context, now time.Time, d Durability) (int64, error) {
	return 0, e
}
func (db *DB) PutBSO(ctx context.Context, b BSO, check func(old *BSO) error, d Durability) error {
	return e
}
func (db *DB) GetBSO(ctx context.Context, tenant, id string) (BSO, error)       { return BSO{}, e }
func (db *DB) BSOsByKey(ctx context.Context, tenant, key string) ([]BSO, error) { return nil, e }
func (db *DB) BSOByIno(ctx context.Context, ino Ino) (BSO, error)               { return BSO{}, e }
func (db *DB) ListBSO(ctx context.Context, tenant string, types []string, offset, limit int) ([]BSO, error) {
	return nil, e
}
func (db *DB) DeleteBSO(ctx context.Context, tenant, id string, d Durability) error  { return e }
func (db *DB) Changes(ctx context.Context, after int64, limit int) ([]Change, error) { return nil, e }
func (db *DB) TrimChanges(ctx context.Context, keep int, d Durability) error         { return e }
func (db *DB) Setting(ctx context.Context, name string) ([]byte, error)              { return nil, e }
func (db *DB) PutSetting(ctx context.Context, name string, value []byte, d Durability) error {
	return e
}
func (db *DB) Check(ctx context.Context) ([]string, error) { return nil, e }
func (db *DB) Stats(ctx context.Context) (Stats, error)    { return Stats{}, e }
