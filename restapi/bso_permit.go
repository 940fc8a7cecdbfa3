package restapi

import "tote/fs"

// Roles that the service asks for. The core asks again, and more coarsely.
var (
	bsoReaders  = []string{fs.RoleAdmin, fs.RoleEditor, fs.RoleReader, "ROLE_INVENTORY_READ", "ROLE_BINARY_READ"}
	bsoWriters  = []string{fs.RoleAdmin, fs.RoleEditor, "ROLE_INVENTORY_ADMIN", "ROLE_BINARY_ADMIN"}
	bsoCreators = append([]string{"ROLE_INVENTORY_CREATE", "ROLE_BINARY_CREATE"}, bsoWriters...)
)
