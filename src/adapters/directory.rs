//! User directories, one folder each, and the decorators around them.
