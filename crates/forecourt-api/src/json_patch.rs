//! PATCH: JSON Patch (RFC 6902) for array bodies, JSON Merge Patch (RFC 7396) for object bodies.
