#pragma once

namespace eflow {

/// Lets go of the memory that only the start needed: free heap, and the pages of the program's own files, which come back
/// from the page cache one by one where they are used again. For a process that waits for days.
void shrink_footprint();

}  // namespace eflow
