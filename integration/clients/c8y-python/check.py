"""Replays the requests of the Python client of the platform that the inventory and event APIs imitate. Ends with 0 when all is as it expects."""
import os
import requests

base = os.environ['TOTE_URL']
s = requests.Session()
s.auth = (os.environ['TOTE_TENANT'] + '/' + os.environ['TOTE_USER'], os.environ['TOTE_PASSWORD'])
s.headers['Accept'] = 'application/json'


def call(method, path, status, **more):
    r = s.request(method, base + path, **more)
    assert r.status_code == status, (method, path, r.status_code, r.text)
    return r


def binaries():
    data = os.urandom(100_000)
    # No file name, a content type, and the object beside it, which always has a content type as well.
    form = {'object': (None, '{"name":"py.bin","type":"py","contentType":"text/plain"}'), 'file': (None, data, 'application/x-py')}
    made = call('POST', '/inventory/binaries', 201, files=form).json()
    assert made['name'] == 'py.bin' and made['contentType'] == 'application/x-py' and made['length'] == len(data), made
    path = '/inventory/binaries/' + made['id']
    assert call('GET', path, 200).content == data
    assert call('PUT', path, 201, data=b'new', headers={'Content-Type': 'text/x'}).json()['id'] == made['id']
    assert call('GET', path, 200).content == b'new'
    count = call('GET', '/inventory/binaries', 200, params={'pageSize': 1, 'withTotalPages': 'true'}).json()
    assert count['statistics']['totalPages'] == 1, count
    call('DELETE', path, 204)
    call('GET', path, 404)


def objects():
    made = call('POST', '/inventory/managedObjects', 201, json={'name': 'py', 'type': 'py_type', 'frag': {'x': 1}}).json()
    path = '/inventory/managedObjects/' + made['id']
    assert call('PUT', path, 200, json={'frag': None, 'other': [1, 2]}).json()['other'] == [1, 2]
    assert 'frag' not in call('GET', path, 200).json()
    found = call('GET', '/inventory/managedObjects', 200, params={'query': "$filter=(type eq 'py_*')", 'pageSize': 10}).json()
    assert [o['id'] for o in found['managedObjects']] == [made['id']], found
    return made['id']


def events(source):
    made = call('POST', '/event/events', 201, json={'source': {'id': source}, 'type': 'py_event', 'text': 'x', 'time': '2026-01-02T03:04:05.678+01:00'}).json()
    path = '/event/events/' + made['id']
    up = call('POST', path + '/binaries', 201, data=b'\x00\x01', headers={'Content-Type': 'image/png'}).json()
    assert up['source'] == made['id'] and up['length'] == 2, up
    call('POST', path + '/binaries', 409, data=b'again')
    assert call('PUT', path + '/binaries', 201, data=b'other').json()['length'] == 5
    assert call('GET', path + '/binaries', 200).content == b'other'
    call('DELETE', path + '/binaries', 204)
    call('GET', path + '/binaries', 404)
    call('DELETE', path, 204)


def errors():
    r = requests.get(base + '/inventory/binaries', auth=('x', 'y'))
    assert r.status_code == 401 and 'json' in r.headers['Content-Type'], r.headers
    assert call('GET', '/inventory/managedObjects/none', 404).json()['error'] == 'inventory/Not Found'


binaries()
events(objects())
errors()
