"""Documents and crawled pages become a hybrid index that answers with citations.

    documents, reading, inventory   local files, read page by page
    crawling                        pages and feeds, politely
    chunking, embedding, duplicates passages and their vectors
    passages, vectors, index        BM25 and Chroma, kept in step
    retrieval, reranking, langchain asking
    base                            all of it together

Import from the modules: what they need is heavy, and few callers need all of it.
"""
