package restapi

import "net/http"

// platform answers GET /platform, from where clients that know no paths begin. Parts that are not served lead nowhere.
func (x *exchange) platform() error {
	out := map[string]any{
		"self": x.base + "/platform", "inventory": x.inventoryLinks(), "event": x.eventLinks(),
		"user":   map[string]any{"self": x.base + "/user", "currentUser": x.base + "/user/currentUser"},
		"tenant": map[string]any{"self": x.base + "/tenant", "currentTenant": x.base + "/tenant/currentTenant"},
	}
	for _, name := range []string{"identity", "measurement", "alarm", "audit", "deviceControl"} {
		out[name] = map[string]any{"self": x.base + "/" + name}
	}
	writeC8y(x.w, x.r, http.StatusOK, "platformApi", out)
	return nil
}

func (x *exchange) inventoryRoot() error {
	writeC8y(x.w, x.r, http.StatusOK, "inventoryApi", x.inventoryLinks())
	return nil
}

func (x *exchange) eventRoot() error {
	writeC8y(x.w, x.r, http.StatusOK, "eventApi", x.eventLinks())
	return nil
}

func (x *exchange) inventoryLinks() map[string]any {
	objects := x.base + "/inventory/managedObjects"
	return map[string]any{
		"self":                           x.base + "/inventory",
		"managedObjects":                 map[string]any{"self": objects, "references": []any{}},
		"managedObjectsForType":          objects + "?type={type}",
		"managedObjectsForFragmentType":  objects + "?fragmentType={fragmentType}",
		"managedObjectsForListOfIds":     objects + "?ids={ids}",
		"managedObjectsForText":          objects + "?text={text}",
		"managedObjectsForOwner":         objects + "?owner={owner}",
		"managedObjectsForQuery":         objects + "?query={query}",
		"managedObjectsForChildAddition": objects + "?childAdditionId={childAdditionId}",
		"managedObjectsForChildAsset":    objects + "?childAssetId={childAssetId}",
		"managedObjectsForChildDevice":   objects + "?childDeviceId={childDeviceId}",
	}
}

func (x *exchange) eventLinks() map[string]any {
	events := x.base + "/event/events"
	out := map[string]any{"self": x.base + "/event", "events": map[string]any{"self": events, "events": nil}}
	for name, query := range map[string]string{
		"eventsForSource":               "source={source}",
		"eventsForType":                 "type={type}",
		"eventsForFragmentType":         "fragmentType={fragmentType}",
		"eventsForSourceAndType":        "source={source}&type={type}",
		"eventsForTime":                 "dateFrom={dateFrom}&dateTo={dateTo}",
		"eventsForSourceAndTime":        "source={source}&dateFrom={dateFrom}&dateTo={dateTo}",
		"eventsForSourceAndTimeAndType": "source={source}&dateFrom={dateFrom}&dateTo={dateTo}&type={type}",
	} {
		out[name] = events + "?" + query
	}
	return out
}
