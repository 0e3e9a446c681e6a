#pragma once

namespace eflow {

/// Lets go of memory that is not in use now: free heap, and the pages of the program's own files, which come back from the
/// page cache where they are used again. For a process that waits for days.
void shrink_footprint();

}  // namespace eflow
